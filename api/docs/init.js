// Addresses are relative, so that the page also works behind a proxy that serves Docket under a path.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // nothing leaves the page for a stranger's server
});
