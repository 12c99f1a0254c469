// expect: Thrown
class handler {}
