// expect: StackOverflow | returns 1 | OutOfMemory
function handler(input) {
  let call = () => 1;
  for (let i = 0; i < 100000; i++) call = call.bind(null);
  return call();
}
