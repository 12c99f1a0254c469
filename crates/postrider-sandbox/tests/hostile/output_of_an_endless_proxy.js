// expect: Timeout | OutOfMemory
function handler(input) {
  return new Proxy([], {
    get: (_, key) => key === 'length' ? 2 ** 32 : key === 'toJSON' ? undefined : 1,
  });
}
