// expect: OutputTooLarge
function handler(input) {
  return 'a'.repeat(2 << 20);
}
