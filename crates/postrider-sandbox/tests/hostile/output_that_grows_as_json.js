// expect: OutputTooLarge | OutOfMemory
function handler(input) {
  return '\u0001'.repeat(1 << 20);
}
