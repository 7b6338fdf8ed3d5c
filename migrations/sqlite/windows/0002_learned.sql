-- What the evaluator has learned of each service; has a version byte of its own. Empty: nothing.
ALTER TABLE checkpoints ADD COLUMN learned BLOB NOT NULL DEFAULT x'';
