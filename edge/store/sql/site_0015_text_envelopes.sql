-- Frozen: what the step 0015_text_envelopes made. One statement a line. A later change of the schema is a later step.
ALTER TABLE text_uses ADD COLUMN envelope TEXT NOT NULL DEFAULT ''
ALTER TABLE text_uses ADD COLUMN salt BLOB NOT NULL DEFAULT x''
