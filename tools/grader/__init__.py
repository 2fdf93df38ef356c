"""The machinery of grade-cow that no single lab needs to know about: submissions, sandbox, observed machine, scores."""
