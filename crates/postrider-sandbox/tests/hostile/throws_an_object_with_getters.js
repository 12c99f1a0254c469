// expect: Thrown
function handler(input) {
  throw { get message() { throw 1; }, get stack() { throw 2; }, get name() { throw 3; } };
}
