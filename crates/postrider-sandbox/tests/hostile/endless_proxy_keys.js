// expect: Timeout
function handler(input) {
  return new Proxy({}, { ownKeys() { for (;;) {} } });
}
