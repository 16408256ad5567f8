// Swagger UI over our own description. It validates nothing elsewhere and keeps no credentials.
"use strict";
SwaggerUIBundle({
  url: "/v1/openapi.json",
  dom_id: "#try",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
