// A token server and a receiver that requires its access tokens. The first line of output is JSON:
// the URL, the private key of the client `jwt` as Base64 of PEM, and a refresh token of the client
// `refresh`. Clients are `basic`, `post`, `jwt` and `refresh`; the secret is that of the script.
//
//   POST /hook             responds with the client of the access token, or with 401
//   POST /control/revoke   revokes the access tokens that the receiver has seen
//   GET  /control/issued   how many access tokens were issued
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

// Standard output has one line only, and nobody reads more. The advice is for production.
console.info = console.warn = () => {};

const SECRET = 'a secret of the client, with = and :';
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

let issued = 0;
let provider;
const seen = new Set();

function client(id, method, more) {
  return {
    client_id: id,
    token_endpoint_auth_method: method,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    ...more,
  };
}

function create(issuer) {
  provider = new Provider(issuer, {
    clients: [
      client('basic', 'client_secret_basic', { client_secret: SECRET }),
      client('post', 'client_secret_post', { client_secret: SECRET }),
      client('jwt', 'private_key_jwt', {
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }] },
        token_endpoint_auth_signing_alg: 'RS256',
      }),
      client('refresh', 'client_secret_basic', {
        client_secret: SECRET,
        grant_types: ['refresh_token', 'authorization_code'],
        redirect_uris: ['https://example.com/callback'],
        response_types: ['code'],
      }),
    ],
    scopes: ['openid', 'offline_access', 'webhooks'],
    cookies: { keys: ['a key of cookies in tests'] },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    rotateRefreshToken: () => true,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  const count = () => { issued += 1; };
  provider.on('client_credentials.saved', count);
  provider.on('access_token.saved', count);
  provider.on('server_error', (_, error) => console.error(error));
}

async function refreshToken() {
  const found = await provider.Client.find('refresh');
  const grant = new provider.Grant({ accountId: 'alice', clientId: 'refresh' });
  grant.addOIDCScope('openid offline_access');
  const token = new provider.RefreshToken({
    accountId: 'alice',
    client: found,
    grantId: await grant.save(),
    gty: 'authorization_code',
    rotations: 0,
    scope: 'openid offline_access',
  });
  return token.save();
}

async function find(value) {
  return (await provider.ClientCredentials.find(value)) ?? (await provider.AccessToken.find(value));
}

async function receive(request, response) {
  const value = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
  const token = value && (await find(value));
  if (!token) return response.writeHead(401).end('no valid token');
  seen.add(value);
  return response.writeHead(200).end(token.clientId);
}

async function revoke() {
  for (const value of seen) await (await find(value))?.destroy();
  seen.clear();
}

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/hook') {
      request.resume();
      await receive(request, response);
    } else if (request.url === '/control/revoke') {
      await revoke();
      response.writeHead(204).end();
    } else if (request.url === '/control/issued') {
      response.end(String(issued));
    } else {
      await provider.callback()(request, response);
    }
  } catch (error) {
    console.error(error);
    response.writeHead(500).end(String(error));
  }
});

server.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  create(url);
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const key = Buffer.from(pem).toString('base64');
  console.log(JSON.stringify({ url, key, refreshToken: await refreshToken() }));
});
// It ends with the test.
process.stdin.resume().on('end', () => process.exit());
