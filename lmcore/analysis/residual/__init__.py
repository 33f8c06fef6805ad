"""The residual stream: what each part adds to it, and to a logit."""
