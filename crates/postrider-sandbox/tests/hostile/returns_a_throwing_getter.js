// expect: Thrown
function handler(input) {
  return { get value() { throw new Error('no'); } };
}
