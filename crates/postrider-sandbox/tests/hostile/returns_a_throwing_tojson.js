// expect: Thrown
function handler(input) {
  return { toJSON() { throw 'no'; } };
}
