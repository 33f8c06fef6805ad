"""Attribution: which parts of a text speak for and against an output."""
