// expect: Thrown
const { proxy, revoke } = Proxy.revocable(() => 1, {});
var handler = proxy;
revoke();
