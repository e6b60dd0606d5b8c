"""A session as it comes from a small shop: three services, requests with content, errors, logs. For the tests of the page and
the README's picture."""

import json
import os

import local_recorder as c

MS = 1_000_000
MASKED = "***MASKED***"


class Shop:
    """Sends spans of a session as its services would. Times are told in milliseconds from the session's first one."""

    def __init__(self, local, session, start=None, slow=1):
        self.local, self.session = local, session
        self.start = start or c.now_ns()
        self.slow = slow
        self.sent = {}

    def trace(self):
        return c.manual(self.session, tail=os.urandom(9).hex())

    def span(self, service, trace, name, at, ms, parent="", kind=1, attributes=None, **fields):
        made = c.span(
            trace, name, start=self.start + int(at * MS), endTimeUnixNano=str(self.start + int((at + ms * self.slow) * MS)),
            kind=kind, parentSpanId=parent, attributes=c.attributes(attributes or {}), **fields,
        )  # fmt: skip
        self.sent.setdefault(service, []).append(made)
        return made["spanId"]

    def log(self, service, trace, span, text, at, level="info"):
        number = {"info": 9, "warn": 13, "error": 17}[level]
        record = c.record(trace, text, self.start + int(at * MS), spanId=span, severityText=level, severityNumber=number)
        self.local.send_logs(record, resource={"service.name": service})

    def deliver(self):
        for service, spans in self.sent.items():
            for i in range(0, len(spans), 2000):
                self.local.send_spans(*spans[i : i + 2000], resource={"service.name": service, "host.name": "laptop"})
        self.sent = {}

    def login(self, at=0):
        trace = self.trace()
        asked = {"user": "ann", "password": MASKED, "remember": True}
        root = self.span("shop", trace, "POST /login", at, 22, kind=2, attributes=http("POST", "/login", 200, asked, {"user": "ann", "token": MASKED, "expires": 3600}))
        self.span("accounts", trace, "accounts.Verify", at + 3, 15, root, kind=2)
        self.log("accounts", trace, root, "ann signed in", at + 17)

    def cart(self, at=60, price="14.90"):
        trace = self.trace()
        body = {"items": [{"name": "A cup of tea", "price": price, "count": 2}, {"name": "Sugar", "price": "0.10", "count": 1}], "total": "29.90"}
        root = self.span("shop", trace, "GET /cart", at, 9, kind=2, attributes=http("GET", "/cart?currency=EUR", 200, None, body))
        self.span("shop", trace, "SELECT cart_items", at + 2, 4, root, kind=3, attributes={"db.system": "postgresql", "db.statement": "SELECT name, price FROM cart_items WHERE user_id = ?"})
        return trace, root

    def checkout(self, at=120, fails=True):
        trace = self.trace()
        asked = {"address": {"street": "12 Long Lane", "city": "Leeds"}, "card": {"number": MASKED, "cvc": MASKED, "expires": "12/29"}, "items": [{"sku": "tea-01", "count": 2}], "gift": False}
        told = {"error": "card_declined", "message": "The bank declined the card", "order": None} if fails else {"order": "A-1042", "total": "29.90"}
        status = {"code": 2, "message": "payment failed: card declined"} if fails else {}
        root = self.span("shop", trace, "POST /checkout", at, 148, kind=2, status=status, attributes=http("POST", "/checkout", 402 if fails else 200, asked, told))
        stock = self.span("shop", trace, "inventory.Reserve", at + 4, 31, root, kind=3)
        served = self.span("inventory", trace, "Reserve", at + 7, 25, stock, kind=2)
        self.span("inventory", trace, "UPDATE stock", at + 11, 14, served, kind=3, attributes={"db.system": "postgresql"})
        pay = self.span("shop", trace, "payments.Charge", at + 40, 92, root, kind=3, status={"code": 2} if fails else {})
        events = [{"name": "exception", "timeUnixNano": str(self.start + int((at + 126) * MS)), "attributes": c.attributes({
            "exception.type": "CardDeclined", "exception.message": "do_not_honor (05)",
            "exception.stacktrace": "CardDeclined: do_not_honor (05)\n  at charge (payments/charge.cc:88)\n  at serve (payments/main.cc:41)"})}]  # fmt: skip
        charge = self.span("payments", trace, "Charge", at + 44, 84, pay, kind=2, status={"code": 2, "message": "CardDeclined: do_not_honor (05)"} if fails else {}, events=events if fails else [])
        self.span("payments", trace, "POST api.bank.example/v2/charges", at + 49, 71, charge, kind=3, attributes={"http.request.method": "POST", "http.response.status_code": 402 if fails else 200})
        self.span("shop", trace, "render response", at + 136, 8, root)
        self.log("shop", trace, root, "checkout of 2 items, 29.90 EUR", at + 1)
        if fails:
            self.log("payments", trace, charge, "bank answered 402: do_not_honor", at + 124, "error")
            self.log("shop", trace, root, "payment failed, cart kept", at + 139, "warn")
        return trace, root

    def all(self, fails=True):
        self.login(0)
        self.cart(60)
        found = self.checkout(120, fails)
        self.login(330)
        self.cart(365)
        self.deliver()
        return found


def http(method, target, status, asked, told, asked_headers=None):
    headers = {"host": "shop.example:8080", "user-agent": "Mozilla/5.0", "accept": "application/json", "authorization": MASKED, **(asked_headers or {})}
    answer = {"content-type": "application/json", "x-request-id": os.urandom(4).hex()}
    values = {
        "http.request.method": method, "http.target": target, "http.route": target.split("?")[0], "http.response.status_code": status,
        "multiplayer.http.request.headers": json.dumps({**headers, **({"content-type": "application/json"} if asked else {})}),
        "multiplayer.http.response.headers": json.dumps(answer),
        "multiplayer.http.response.body": told if isinstance(told, str) else json.dumps(told),
    }  # fmt: skip
    if asked is not None:
        values["multiplayer.http.request.body"] = asked if isinstance(asked, str) else json.dumps(asked)
    return values
