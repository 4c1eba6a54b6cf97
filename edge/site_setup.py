"""A new site folder from a template: settings, keys, documents, examples. Runs before the node does."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.errors import ConfigError
from core.files import PRIVATE_FILE_MODE, private_folder, write_atomic
from edge.config import SitePaths
from edge.egress import envelope
from edge.keys import SiteKeys
from edge.knowledge.document import Audience
from edge.privacy import policy_files
from edge.privacy.policy import BadPolicy

TEMPLATES = Path(__file__).parent / "templates"
POLICIES = TEMPLATES / "policies"
# A policy that came with a template is looked at again after a year.
POLICY_DAYS = 365


def templates() -> list[str]:
    """The names that `postern init --template` takes."""
    return sorted(path.parent.name for path in TEMPLATES.glob("*/site.toml"))


def policy_packs() -> list[str]:
    """The policies that `postern privacy policy sign --pack` takes; a template comes with the one of its name."""
    return sorted(path.stem for path in POLICIES.glob("*.toml"))


def policy_pack(name: str, now: datetime) -> str:
    """A pack as a site that begins today signs it. Raises BadPolicy when there is none of this name."""
    if name not in policy_packs():
        raise BadPolicy("There is no such pack.", remedy=f"Choose one of: {', '.join(policy_packs())}.")
    text = (POLICIES / f"{name}.toml").read_text(encoding="utf-8")
    last_day = (now + timedelta(days=POLICY_DAYS)).date()
    return re.sub(r"(?m)^valid_until = .*$", f"valid_until = {last_day}", text, count=1)


def create_site(
    paths: SitePaths, template: str, *, http_port: int | None = None, bucket_s: int | None = None
) -> None:
    """Make the folder. Raises ConfigError when there is a site already or no such template."""
    if paths.config.exists():
        raise ConfigError(f"There is a site at {paths.root} already.", remedy="Choose another folder.")
    source = TEMPLATES / template
    if not (source / "site.toml").is_file():
        raise ConfigError(
            f"There is no template {template!r}.", remedy=f"Choose one of: {', '.join(templates())}."
        )
    private_folder(paths.root)
    SiteKeys.create(paths)
    envelope.load_or_create_key(paths.keys)
    policy_files.make_key(paths.keys)
    now = datetime.now(UTC)
    policy_files.save(paths, policy_pack(template, now), now)
    if (source / "documents").is_dir():
        shutil.copytree(source / "documents", paths.documents, dirs_exist_ok=True)
    else:
        paths.documents.mkdir(exist_ok=True)
    for target in (paths.intent_examples, paths.golden_questions):
        if (source / target.name).is_file():
            write_atomic(target, (source / target.name).read_bytes())
    settings = (source / "site.toml").read_text(encoding="utf-8")
    write_atomic(paths.config, _set(settings, http_port, bucket_s).encode(), PRIVATE_FILE_MODE)


def documents_by_audience(paths: SitePaths) -> list[tuple[Path, Audience]]:
    """The template's document folders and who may be answered from them."""
    folders = [(paths.documents / audience.value, audience) for audience in Audience]
    return [(folder, audience) for folder, audience in folders if folder.is_dir()]


def _set(settings: str, http_port: int | None, bucket_s: int | None) -> str:
    """The template's settings with the values of this site; comments stay."""
    for key, value in (("port", http_port), ("bucket_s", bucket_s)):
        if value is not None:
            settings = re.sub(rf"(?m)^{key} = \d+", f"{key} = {value}", settings, count=1)
    return settings
