"""HTTP, one file per resource. A handler takes a `Call`, hands it to one operation, and words the answer."""
