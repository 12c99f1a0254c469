// expect: Timeout
function handler(input) {
  const large = { length: Number.MAX_SAFE_INTEGER };
  return Array.prototype.includes.call(large, 1);
}
