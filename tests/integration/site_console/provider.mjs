// A real OpenID Connect provider for the tests (npm oidc-provider). It logs in whoever /control names, without a page,
// and can be told to spoil the identity token that it is about to hand over: the code, the keys and PKCE stay real.
// First line on standard output: {"issuer", "control"}. Arguments: the console's callback address, client id, secret.

import http from "node:http";
import { Provider } from "oidc-provider";
import { SignJWT, decodeJwt, exportJWK, generateKeyPair } from "jose";

const [callback, clientId, clientSecret] = process.argv.slice(2);
const HOST = "localhost";
const pair = await generateKeyPair("RS256", { extractable: true });
const stranger = await generateKeyPair("RS256", { extractable: true });
const jwk = { ...(await exportJWK(pair.privateKey)), kid: "one", alg: "RS256", use: "sig" };
const wanted = { account: "mira", claims: {}, spoil: {}, key: "own" };

const server = http.createServer();
await new Promise((done) => server.listen(0, HOST, done));
const issuer = `http://${HOST}:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: clientId, client_secret: clientSecret, redirect_uris: [callback], response_types: ["code"],
    grant_types: ["authorization_code"], token_endpoint_auth_method: "client_secret_basic",
  }],
  jwks: { keys: [jwk] },
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], profile: ["preferred_username", "name", "roles"] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, ...wanted.claims }) }),
});

provider.use(async (context, next) => {
  if (context.path.startsWith("/interaction/")) return interact(context);
  await next();
  if (context.path === "/token" && context.body?.id_token) await spoil(context);
});

// Every question of the provider is answered with yes, as the account that the test names.
async function interact(context) {
  const { params, session } = await provider.interactionDetails(context.req, context.res);
  const accountId = session?.accountId ?? wanted.account;
  const grant = new provider.Grant({ accountId: wanted.account, clientId: params.client_id });
  grant.addOIDCScope("openid profile");
  const result = { login: { accountId: wanted.account, remember: false }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: accountId === wanted.account });
  context.respond = false;
}

// The token as it would be, with what the test wants wrong in it, signed anew.
async function spoil(context) {
  if (Object.keys(wanted.spoil).length === 0 && wanted.key === "own") return;
  const claims = { ...decodeJwt(context.body.id_token), ...wanted.spoil };
  const key = wanted.key === "own" ? pair.privateKey : stranger.privateKey;
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "one" }).sign(key);
  context.body = { ...context.body, id_token: token };
}

const answer = provider.callback();
server.on("request", (request, response) => {
  if (request.url !== "/control") return answer(request, response);
  let body = "";
  request.on("data", (piece) => { body += piece; });
  request.on("end", () => { Object.assign(wanted, { claims: {}, spoil: {}, key: "own" }, JSON.parse(body)); response.end("{}"); });
});

process.stdout.write(`${JSON.stringify({ issuer, control: `${issuer}/control` })}\n`);
