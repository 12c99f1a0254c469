// expect: Thrown
function handler(input) {
  throw new InternalError('interrupted');
}
