// expect: StackOverflow
function handler(input) {
  const value = { toString() { return `${value}`; } };
  return `${value}`;
}
