// expect: Thrown
function handler(input) {
  return [3, 2, 1].sort(() => { throw new Error('no'); });
}
