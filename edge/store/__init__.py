"""The site's encrypted store: one writer, group commit, migrations, outbox rows, subjects' data keys."""
