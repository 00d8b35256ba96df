"""Rows of the twin as a CSV file, for tests/both.py and the simulator."""

import io

from watchword.formats.columns import COLUMNS, line_of
from watchword.reference_rows import Line


def filed(lines: list[Line]) -> io.BytesIO:
    texts = [",".join(COLUMNS)]
    for line in lines:
        words: dict[str, object] = {"name": line.name, "state": line.state, "realm": line.realm}
        d = line.device
        if d is not None:
            words |= {
                "kind": d.label or d.kind, "serial": d.serial, "key": f"hex:{d.key.hex()}",
                "device_state": d.state,
            }  # fmt: skip
            if d.moving:
                words["counter"] = d.moving
            if d.kind in ("totp", "hotp"):
                words |= {"digits": d.digits, "algorithm": d.algorithm}
            if d.kind == "totp":
                words |= {"period": d.period, "t0": d.t0}
            if d.kind == "totp" or "-T" in d.suite:
                words |= {"window": f"{d.back}/{d.forward}", "drift_max": d.drift_max}
                words["drift"] = d.drift
            if d.kind == "hotp" or ":C-" in d.suite:
                words["look_ahead"] = d.look_ahead
            if d.kind == "ocra":
                words["suite"] = d.suite
            if d.pin:
                words["pin"] = d.pin
            if d.pin_hash:
                words["pin_hash"] = d.pin_hash.hex()
        texts.append(line_of(str(words.get(column, "")) for column in COLUMNS))
    return io.BytesIO("\n".join(texts).encode())
