// Redoc over our own description. Nothing is fetched but that description; no worker, no inline code.
"use strict";
Redoc.init(
  "/v1/openapi.json",
  {
    disableSearch: true,
    hideDownloadButton: false,
    expandResponses: "200,201",
    requiredPropsFirst: true,
    sortEnumValuesAlphabetically: true,
    theme: { colors: { primary: { main: "#0b4a8f" } } },
  },
  document.getElementById("read"),
);
