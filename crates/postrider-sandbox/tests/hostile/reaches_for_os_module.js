// expect: Thrown
function handler(input) {
  return os.exec(['/bin/sh']);
}
