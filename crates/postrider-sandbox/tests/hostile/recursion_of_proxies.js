// expect: StackOverflow | OutOfMemory
function handler(input) {
  let proxy = {};
  for (let i = 0; i < 20000; i++) proxy = new Proxy(proxy, {});
  return proxy.value;
}
