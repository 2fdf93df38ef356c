"""Course platforms: what each of them reads, made from a submission's results, and the packages
that are uploaded to them."""
