// The URL is relative, so that the page also works behind a proxy that serves Docket under a path.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // do not send the contract to an external validator
});
