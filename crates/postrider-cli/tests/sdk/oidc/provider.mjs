// An identity provider with three people. Its first line of output is its URL.
//
// Control, besides the protocol:
//   POST /control/client?redirect_uri=…   registers the client
//   POST /control/rotate                  replaces the keys; then id tokens contain all claims
//   POST /control/down, /control/up       whether it responds
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

// Standard output has one line only, and nobody reads more. The advice is for production.
console.info = console.warn = () => {};

const PEOPLE = {
  alice: { email: 'alice@example.com', groups: ['staff', 'hooks-admins'] },
  bob: { email: 'bob@example.com', groups: ['staff'] },
  carol: { email: 'carol@example.com', groups: ['visitors'] },
};

let redirectUris = ['http://127.0.0.1:1/auth/callback'];
let generation = 0;
let isUp = true;
let provider;
let handle;

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: `key-${generation}` };
}

let keys = [key()];

function create(issuer) {
  provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'postrider',
        client_secret: 'a secret of the client, with = and :',
        redirect_uris: redirectUris,
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    jwks: { keys },
    cookies: { keys: ['a key of cookies in tests'] },
    pkce: { required: () => true },
    scopes: ['openid', 'email', 'groups'],
    claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
    conformIdTokenClaims: generation === 0,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) }),
  });
  provider.on('server_error', (_, error) => console.error(error));
  handle = provider.callback();
}

// Signs in whoever `as` names and consents to everything; without it, the person refuses.
async function interact(request, response, url) {
  const details = await provider.interactionDetails(request, response);
  const account = url.searchParams.get('as') ?? details.session?.accountId;
  if (!account) {
    const result = { error: 'access_denied', error_description: '<b>no</b> & never' };
    return provider.interactionFinished(request, response, result);
  }
  const grant = new provider.Grant({ accountId: account, clientId: details.params.client_id });
  grant.addOIDCScope('openid email groups');
  const grantId = await grant.save();
  const result = { login: { accountId: account }, consent: { grantId } };
  return provider.interactionFinished(request, response, result);
}

function control(url, issuer) {
  switch (url.pathname) {
    case '/control/client':
      redirectUris = [url.searchParams.get('redirect_uri')];
      return create(issuer);
    case '/control/rotate':
      generation += 1;
      keys = [key()];
      return create(issuer);
    case '/control/down':
      isUp = false;
      return undefined;
    default:
      isUp = true;
      return undefined;
  }
}

const server = createServer(async (request, response) => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const url = new URL(request.url, issuer);
  try {
    if (url.pathname.startsWith('/control/')) {
      control(url, issuer);
      response.writeHead(204).end();
    } else if (!isUp) {
      response.writeHead(503).end();
    } else if (url.pathname.startsWith('/interaction/')) {
      await interact(request, response, url);
    } else {
      await handle(request, response);
    }
  } catch (error) {
    console.error(error);
    response.writeHead(500).end(String(error));
  }
});

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  create(issuer);
  console.log(issuer);
});
// It ends with the test.
process.stdin.resume().on('end', () => process.exit());
