"""The machinery of grade-cow that does not depend on a lab: submissions, sandbox, observed machine,
scores."""
