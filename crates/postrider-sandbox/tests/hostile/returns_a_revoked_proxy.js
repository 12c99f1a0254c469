// expect: NotJson | Thrown
function handler(input) {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
