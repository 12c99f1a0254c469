// expect: Thrown
async function handler() {
  throw { get message() { throw 1; } };
}
