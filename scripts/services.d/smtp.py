"""An SMTP server for tests: FOLDER PORT TLS USER PASSWORD.

TLS is "", "starttls" (then required before anything else) or "implicit". With a USER, everybody
must log in. Each message is a file in FOLDER/mail, NUMBER.eml, complete as soon as it is there.
Before its own headers it has X-Envelope-From and, for each recipient, X-Envelope-To.

The part of a recipient's address before the @ scripts what happens:

    reject550, busy451, …   letters and a code: RCPT is answered with this code
    data554, data452, …     the same, but for the whole message after DATA
    slow, slow5             the answer after DATA waits 2 (or this many) seconds
    cut                     the message is stored, then the connection drops without an answer
    drop                    the connection drops without an answer, and nothing is stored
    once451, once550, …     the first RCPT to this address gets the code, later ones are accepted
"""

import asyncio
import os
import re
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, port, tls, user, password = sys.argv[1:]
mail = os.path.join(folder, "mail")


def scripted(address, *words):
    """The number behind one of these words in the address, or None."""
    found = re.fullmatch(r"([a-z]+)(\d*)", address.partition("@")[0])
    return found[2] if found and found[1] in words else None


def answer(code):
    kind = {"4": "busy", "5": "rejected"}.get(code[0], "scripted")
    return f"{code} {code[0]}.0.0 {kind} by the test"


class Handler:
    def __init__(self):
        self.stored = len(os.listdir(mail))
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        code = scripted(address, "reject", "busy")
        if not code and address not in self.seen:
            code = scripted(address, "once")
            self.seen.add(address)
        if code:
            return answer(code)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        recipients = envelope.rcpt_tos
        for address in recipients:
            if code := scripted(address, "data"):
                return answer(code)
        if any(scripted(address, "drop") is not None for address in recipients):
            return self.drop(server)
        for address in recipients:
            if (seconds := scripted(address, "slow")) is not None:
                await asyncio.sleep(float(seconds or 2))
        self.store(envelope)
        if any(scripted(address, "cut") is not None for address in recipients):
            return self.drop(server)
        return "250 2.0.0 OK"

    def drop(self, server):
        server.transport.abort()
        return "421 4.0.0 dropped"

    def store(self, envelope):
        self.stored += 1
        name = os.path.join(mail, f"{self.stored:04}")
        lines = [f"X-Envelope-From: {envelope.mail_from}"]
        lines += [f"X-Envelope-To: {address}" for address in envelope.rcpt_tos]
        with open(name + ".part", "wb") as file:
            file.write("".join(line + "\r\n" for line in lines).encode())
            file.write(envelope.original_content)
        os.rename(name + ".part", name + ".eml")


def authenticate(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    return AuthResult(success=given == (user, password), handled=False)


async def main():
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(f"{folder}/tls/cert.pem", f"{folder}/tls/key.pem")
    starttls = tls == "starttls"
    handler = Handler()

    def connection():
        return SMTP(
            handler,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate,
            auth_required=bool(user),
            # Without this it offers to log in only after STARTTLS.
            auth_require_tls=starttls,
        )

    implicit = context if tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(
        connection, "127.0.0.1", int(port), ssl=implicit
    )
    await server.serve_forever()


asyncio.run(main())
