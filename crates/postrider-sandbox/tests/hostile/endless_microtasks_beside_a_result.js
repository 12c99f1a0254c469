// expect: returns 1
function handler(input) {
  const again = () => Promise.resolve().then(again);
  again();
  return 1;
}
