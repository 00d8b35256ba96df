"""From where a user may come, who may leave the response empty, and what may be withdrawn, as the
slow twin has it.

Written from RULES.md alone, with the standard library alone. reference.py has the state and the
transition; nothing here changes anything.
"""

import ipaddress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchword.reference import Attempt, Device, Figures, User

Net = ipaddress.IPv4Network | ipaddress.IPv6Network

EPOCH = date(1970, 1, 1)
UNLIMITED_RANK = 3
# RULES 3: US dollars a day, and over five business days, by rank.
WITHDRAWALS = {0: (50_000, 100_000), 1: (200_000, 600_000), 2: (1_000_000, 1_500_000)}


def elsewhere(user: "User | None", a: "Attempt") -> bool:
    """RULES 6: an attempt from elsewhere, or with no address where one is required."""
    if user is None or not user.addresses:
        return False
    if a.address is None:
        return True
    ip = ipaddress.ip_address(a.address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    nets = (plain(ipaddress.ip_network(text)) for text in user.addresses)
    return not any(ip.version == net.version and ip in net for net in nets)


def plain(net: Net) -> Net:
    """A range of IPv4 addresses mapped into IPv6 is a range of IPv4."""
    first = net.network_address
    if isinstance(first, ipaddress.IPv4Address) or not first.ipv4_mapped or net.prefixlen < 96:
        return net
    return ipaddress.IPv4Network((first.ipv4_mapped, net.prefixlen - 96))


def enters_bare(user: "User | None", a: "Attempt", figures: "Figures") -> bool:
    """RULES 6, entry without a device: an empty response, which names nothing, and a first factor
    that holds; that a password is not wrong was looked at before."""
    if user is None or a.response or not a.is_login or a.needs_pin or a.needs_device:
        return False
    if a.device is not None or a.challenge is not None or not (a.vouched or a.password is not None):
        return False
    closed = user.account == "closed" and a.platform == "portal"
    opted_out = user.opted_out and a.platform == "trading"
    return closed or opted_out or (figures.allow_no_device and not user.devices)


def business_day(time_ms: int) -> int:
    """How many business days have begun since 1970, the one of this moment not counted; Saturdays
    and Sundays are Monday's."""
    day = datetime.fromtimestamp(time_ms / 1000, UTC).date()
    while day.weekday() > 4:
        day += timedelta(1)
    weeks, rest = divmod((day - EPOCH).days, 7)
    extra = sum((EPOCH + timedelta(past)).weekday() < 5 for past in range(rest))
    return 3 + weeks * 5 + extra        # the first of 1970 was a Thursday, three days into its week


def withdrawn(user: "User", day: int) -> tuple[int, int]:
    """Cents on this business day, and on it and the four before it."""
    newest = max([day, *user.withdrawn])
    today = user.withdrawn.get(newest, 0)
    return today, sum(cents for at, cents in user.withdrawn.items() if newest - at < 5)


def left_cents(devices: "list[tuple[int, Device]]", user: "User", time_ms: int) -> int | None:
    """What may still be withdrawn; devices: with their ranks, those that count."""
    rank = max((rank for rank, _ in devices), default=0)
    if rank >= UNLIMITED_RANK:
        return None
    used = withdrawn(user, business_day(time_ms))
    return min(
        max(0, 100 * most - spent) for most, spent in zip(WITHDRAWALS[rank], used, strict=True)
    )
