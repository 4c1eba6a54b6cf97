-- Frozen: what the step 0014_vectors_before made. One statement a line. A later change of the schema is a later step.
CREATE TABLE vectors_before (chunk INTEGER PRIMARY KEY REFERENCES chunks(id) ON DELETE CASCADE, vector BLOB NOT NULL) STRICT
