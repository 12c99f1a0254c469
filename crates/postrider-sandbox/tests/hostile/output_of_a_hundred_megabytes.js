// expect: OutputTooLarge | OutOfMemory
function handler(input) {
  const part = 'a'.repeat(1 << 20);
  return new Array(100).fill(part);
}
