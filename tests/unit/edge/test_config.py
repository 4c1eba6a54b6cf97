"""site.toml: what is misspelled or unsafe is refused with the setting's name; paths stay within what sockets take."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError, ExitCode
from edge.config import UNIX_PATH_BYTES_MAX, load_config, site_paths
from edge.site_setup import TEMPLATES, create_site, templates

SITE = '[site]\nname = "Test"\nid = "test"\n'

IDENTIFIER = "[[privacy.identifiers]]\nname = 'badge'\ntype = 'OTHER_ID'\n"


def load(folder: Path, more: str = "") -> None:
    (folder / "site.toml").write_text(SITE + more)
    load_config(site_paths(folder))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("[http]\nprot = 1", "http.prot"),
        ("[http]\nport = 65536", "http.port"),
        ("[console]\nbreak_glass_minutes = 14", "console.break_glass_minutes"),
        ("[console]\nbreak_glass_minutes = 241", "console.break_glass_minutes"),
        ("[answer]\nmode = 'poetic'", "answer.mode"),
        ("[limits]\ntext_chars_max = 4001", "limits.text_chars_max"),
        ("[limits]\nidle_warn_s = 60\nidle_wipe_s = 79", "idle_wipe_s"),
        ("[limits]\nidle_other_s = 59", "limits.idle_other_s"),
        ("[limits]\nturns_per_minute = 0", "limits.turns_per_minute"),
        ("[handoff]\nkeep_h = 721", "handoff.keep_h"),
        ("[handoff.smtp]\nhost = '8.8.8.8'\nrecipients = ['a@b']", "handoff.smtp: .*own networks"),
        ("[handoff.smtp]\nhost = 'mail.site'", "handoff.smtp: .*recipients"),
        (
            "[handoff.smtp]\nhost = 'mail.site'\nrecipients = ['a@b']\nsecurity = 'none'",
            "handoff.smtp: .*on this machine",
        ),
        (
            "[handoff.smtp]\nhost = '10.0.0.1'\nrecipients = ['a@b']\nusername = 'x'",
            "handoff.smtp: .*go together",
        ),
        (
            "[handoff.webhook]\nurl = 'https://8.8.8.8/'\nsecret_file = '/s'",
            "handoff.webhook: .*own networks",
        ),
        ("[handoff.webhook]\nurl = 'http://10.0.0.1/'\nsecret_file = '/s'", "handoff.webhook: .*https"),
        ("[handoff.webhook]\nurl = 'ftp://10.0.0.1/'\nsecret_file = '/s'", "handoff.webhook: .*http"),
        ("[handoff.webhook]\nurl = 'https://u:p@10.0.0.1/'\nsecret_file = '/s'", "handoff.webhook: .*login"),
        ("[handoff.webhook]\nurl = 'https://10.0.0.1/'", "handoff.webhook: .*secret_file"),
        ("[telemetry]\nbucket_s = 60\n[http]\nhost = '0.0.0.0'", "telemetry.bucket_s"),
        (f"{IDENTIFIER}pattern = '[0-9]+'", "privacy.identifiers.0: .*badge: the form is too general"),
        (f"{IDENTIFIER}pattern = '('", "privacy.identifiers.0: .*badge: the pattern is not one of RE2"),
        (f"{IDENTIFIER}examples = ['B-1', 'B-2']", "privacy.identifiers.0: .*3 to 100"),
        (f"{IDENTIFIER}pattern = 'B-[0-9]{{4}}'\n" * 2, "privacy.identifiers: .*one name"),
        ("[site", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        load(tmp_path, more)
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "more",
    [
        "[console]\nbreak_glass_minutes = 15",
        "[console]\nbreak_glass_minutes = 240",
        "",
        "[limits]\ntext_chars_max = 4000",
        "[limits]\nidle_warn_s = 60\nidle_wipe_s = 80",
        "[limits]\nidle_other_s = 60",
        "[handoff.smtp]\nhost = 'mail.site'\nrecipients = ['a@b']",
        "[handoff.smtp]\nhost = '127.0.0.1'\nrecipients = ['a@b']\nsecurity = 'none'",
        "[handoff.webhook]\nurl = 'https://10.0.0.1/x'\nsecret_file = '/s'",
        "[handoff.webhook]\nurl = 'http://localhost:9/x'\nsecret_file = '/s'",
        "[telemetry]\nbucket_s = 60",
        f"{IDENTIFIER}examples = ['B-1001', 'B-2002', 'B-0003']",
        f"{IDENTIFIER}pattern = '[0-9]{{6}}'\nwords = ['badge']",
    ],
)
def test_what_is_right_is_taken(tmp_path: Path, more: str) -> None:
    load(tmp_path, more)


def test_a_missing_site_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(site_paths(tmp_path))
    assert "postern init" in refused.value.remedy


def test_sockets_of_a_deep_site_get_a_short_path(tmp_path: Path) -> None:
    near, deep = site_paths(tmp_path / "a"), site_paths(tmp_path / ("a" * 100))
    assert near.courier_socket.parent == near.run
    for path in (deep.admin_socket, deep.worker_socket, deep.courier_socket):
        assert len(bytes(path)) <= UNIX_PATH_BYTES_MAX
    assert deep.run == site_paths(tmp_path / ("a" * 100)).run


@pytest.mark.parametrize("template", templates())
def test_every_template_makes_a_valid_site_once(tmp_path: Path, template: str) -> None:
    paths = site_paths(tmp_path / "site")
    create_site(paths, template)
    load_config(paths)
    for copied in (paths.intent_examples, paths.golden_questions):
        brought = TEMPLATES / template / copied.name
        assert copied.exists() == brought.exists()
        if brought.exists():
            assert copied.read_bytes() == brought.read_bytes()
    assert {path.stat().st_mode & 0o077 for path in (paths.keys, *paths.keys.iterdir())} == {0}
    with pytest.raises(ConfigError):
        create_site(paths, template)


def test_an_unknown_template_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        create_site(site_paths(tmp_path / "site"), "castle")
    assert "clinic" in refused.value.remedy


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[egress.proxy]\nurl = 5", "egress.proxy.url: must be a text, in quotes"),
        ("[egress]\nproxy = 'http://proxy:1'", "egress.proxy: is a section with settings of its own"),
        ("[egress.proxy]\nurl = 'ftp://proxy:1'", "egress.proxy: url must be "),
        ("[egress.proxy]\nca = 'x'", "egress.proxy.ca: is not known"),
        ("[http]\nport = 'x'", "http.port: must be a whole number"),
        ("[http]\nport = 65536", "http.port: must be 65535 or less"),
        ("[answer]\nmode = 'poetic'", "answer.mode: must be '"),
        ("[siblings]\nurls = 5", "siblings.urls: must be a list"),
        ("[console]\ncookie_lifetime = false", "console.cookie_lifetime: is not known"),
    ],
)
def test_what_is_wrong_is_said_in_words(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, more)
    assert said in refused.value.detail
    assert not any(word in refused.value.detail for word in ("Input", "Value error", "inputs"))
