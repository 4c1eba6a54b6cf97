-- Frozen: what the step 0008_pseudonyms made. One statement a line. A later change of the schema is a later step.
CREATE TABLE pseudonyms (session TEXT NOT NULL, purpose TEXT NOT NULL, ordinal INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (session, purpose, ordinal)) STRICT
