"""Builds the one compiled module, watchword._engine, from ext/. Metadata is in pyproject.toml.

Four switches, each an environment variable set to 1; none is on in a release:
    WATCHWORD_STRICT     compiler warnings are errors (the test build)
    WATCHWORD_DEBUG      assertions and Cython's bounds checks, no optimisation
    WATCHWORD_SANITIZE   address and undefined behaviour sanitizers, over the debug build
    WATCHWORD_ANNOTATE   Cython's page of what each line became, build/cython/ext/engine.html
The generated C goes to build/, so that a glob over ext/ finds only files that people wrote.
"""

import os
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup


def switch(name):
    return os.environ.get(f"WATCHWORD_{name}", "0") not in ("", "0")


sanitize = switch("SANITIZE")
debug = switch("DEBUG") or sanitize

# Records and pages are bytes that several structures look at: no aliasing rules, at no cost.
cflags = ["-std=c11", "-fvisibility=hidden", "-fno-strict-aliasing", "-Wall", "-Wextra"]
# What Cython generates does not meet these two; tests/test_tidy.py holds ext/*.c to far more.
cflags += ["-Wno-unused-parameter", "-Wno-missing-field-initializers"]
cflags += ["-O1", "-g", "-UNDEBUG", "-DWW_DEBUG=1"] if debug else ["-O3", "-g0", "-DNDEBUG"]
lflags = []
if not debug:  # the road of a login crosses five files: inlining across them is worth a tenth
    cflags += ["-flto=auto"]
    lflags += ["-flto=auto", "-O3"]
if switch("STRICT"):
    cflags += ["-Werror"]
if sanitize:
    sanitizers = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
    cflags += sanitizers
    lflags += sanitizers

core = sorted(glob("ext/*.c") + glob("ext/isa/*.c"))
headers = sorted(glob("ext/*.h") + glob("ext/lanes/*.h") + glob("ext/*.p*"))

setup(
    ext_modules=cythonize(
        [
            Extension(
                "watchword._engine",
                ["ext/engine.pyx", *core],
                include_dirs=["ext"],
                depends=headers,
                extra_compile_args=cflags,
                extra_link_args=lflags,
            )
        ],
        build_dir="build/cython",
        include_path=["ext"],
        annotate=switch("ANNOTATE"),
        compiler_directives={
            "language_level": 3,
            "boundscheck": debug,
            "wraparound": False,
            "nonecheck": debug,
            "cdivision": True,
            "initializedcheck": debug,
            "embedsignature": True,
        },
    )
)
