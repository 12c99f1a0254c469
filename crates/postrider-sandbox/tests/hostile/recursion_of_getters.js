// expect: StackOverflow
function handler(input) {
  const value = { get again() { return this.again; } };
  return value.again;
}
