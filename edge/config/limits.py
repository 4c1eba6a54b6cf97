"""What bounds a customer and the node."""

from __future__ import annotations

from pydantic import Field

from edge.config.section import Section


class LimitsSection(Section):
    """What bounds a customer and the node. At each limit there is a decided answer (docs/api.md)."""

    text_chars_max: int = Field(default=4000, ge=1, le=4000)
    turns_waiting_max: int = Field(default=256, ge=1, le=4096)
    # A question that would wait longer for the encoder is refused at once: answers within a second are promised,
    # and what waits 0.5 s by prediction has waited up to 0.9 s where every core is full.
    turn_wait_max_s: float = Field(default=0.6, gt=0, le=60)
    # Texts of programs, which wait behind every customer: ten seconds' work of two cores.
    api_waiting_max: int = Field(default=4096, ge=1, le=65_536)
    api_wait_max_s: float = Field(default=10.0, gt=0, le=300)
    sessions_max: int = Field(default=2000, ge=1, le=100_000)
    session_s: int = Field(default=1800, ge=60, le=86_400)
    # A kiosk wipes after this silence: a warning first, then the wipe. The node wipes too, page or no page.
    idle_warn_s: int = Field(default=40, ge=5, le=600)
    idle_wipe_s: int = Field(default=60, ge=25, le=1200)
    # Silence on the other channels, where a person has a screen of their own or a program speaks.
    idle_other_s: int = Field(default=600, ge=60, le=86_400)
    # Questions of one conversation: far more than a person can ask, and so a stuck key or a script at a screen takes at
    # most a thirtieth of what two cores answer (some 9,000 a minute). A program speaks for many people.
    turns_per_minute: int = Field(default=300, ge=1, le=100_000)
    api_turns_per_minute: int = Field(default=1200, ge=1, le=1_000_000)
    # What else a conversation does: feedback, tickets, words to staff. As many as it has answers to judge.
    acts_per_minute: int = Field(default=300, ge=1, le=100_000)
    # Thrice what two cores answer: a loop over what costs no encoder stops here.
    node_turns_per_minute: int = Field(default=30_000, ge=1, le=1_000_000)
    # A whole waiting room may stand behind one address: 200 people who all begin within a minute, and thrice that.
    address_sessions_per_minute: int = Field(default=600, ge=1, le=100_000)
    node_sessions_per_minute: int = Field(default=1200, ge=1, le=1_000_000)
    # Half of sessions_max: no one address can take every place of the node.
    address_sessions_max: int = Field(default=1000, ge=1, le=100_000)
    # Open event streams, each of which holds a connection.
    streams_max: int = Field(default=512, ge=1, le=10_000)
