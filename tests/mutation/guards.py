"""The guards: each check as it stands, what is left when it is taken away, and the tests that have to notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """``check`` stands once in ``file``; with ``without`` in its place ``tests`` have to fail."""

    name: str
    file: str
    check: str
    without: str
    tests: str


TOKENS, KEYS = "tests/unit/platform/test_tokens.py", "tests/unit/platform/test_issuer_keys.py"
OUTWARD, GRANTS = "tests/unit/platform/test_outward.py", "tests/unit/platform/test_grants.py"
BINDING, DECISION = "tests/unit/promotion/test_binding.py", "tests/unit/promotion"
SIGNED, OUTSIDERS = "tests/integration/platform/test_signed_records.py", "tests/unit/platform/test_outsiders.py"
STORED, WALL = "tests/integration/security/test_keys.py", "tests/integration/security/test_row_security.py"
_TOKENS, _JWKS = "services/platform/tokens.py", "services/platform/jwks.py"
_OUTWARD, _GRANTS = "services/platform/outward.py", "services/platform/grants.py"
_IDENTITY, _GATE = "services/platform/identity.py", "services/platform/messaging/gate.py"
_OUTSIDERS, _SIGNATURES = "services/platform/outsiders.py", "services/platform/messaging/signatures.py"
_DOOR = "services/platform/http/authentication.py"
_SIGN_IN, SIGN_IN = "services/platform/sign_in.py", "tests/integration/console/test_issuer_sign_in.py"
TELLING = "tests/integration/notifications/test_telling.py"
STREAMS, RIGHTS = "tests/unit/ingress/test_stream.py", "tests/unit/ingress/test_stream_rights.py"
REMEMBERED, AFTER_STORM = "tests/unit/platform/test_remembered.py", "tests/integration/ingress/test_after_a_storm.py"
HELD_UP = "tests/integration/ingress/test_held_up.py"
LEADING = "tests/integration/notifications/test_where_it_leads.py"

GUARDS = (
    Guard("token: size", _TOKENS, "len(token) > MAX_TOKEN_CHARACTERS", "False", TOKENS),
    Guard("token: algorithm list", _TOKENS, "or algorithm not in ALGORITHMS", "or False", TOKENS),
    Guard("token: crit", _TOKENS, '"crit" in header or "b64" in header', "False", TOKENS),
    Guard("token: typ", _TOKENS, "or kind.lower() not in _TYPES", "or False", TOKENS),
    Guard("token: kid", _TOKENS, "    key_id = header.get(\"kid\")\n    if not isinstance(key_id, str) or not 0 < len("
          "key_id) <= MAX_KEY_ID_CHARACTERS:", "    if False:", TOKENS),
    Guard("token: one form", _TOKENS, '.rstrip(b"=") != segment.encode()', '.rstrip(b"=") is None', TOKENS),
    Guard("token: algorithm of the key", _TOKENS, "algorithm not in key.algorithms", "False", TOKENS),
    Guard("token: signature", _TOKENS, "_JWS.decode_complete(token, key.public_key, algorithms=[algorithm])", "pass",
          TOKENS),
    Guard("token: issuer", _TOKENS, 'claims.get("iss") != rules.issuer', "False", TOKENS),
    Guard("token: audience", _TOKENS, 'rules.audience not in _audiences(claims.get("aud"))', "False", TOKENS),
    Guard("token: expiry is there", _TOKENS, "    if expiry is None:\n        raise", "    if expiry is None:\n        "
          "expiry = 2**53\n    if False:\n        raise", TOKENS),
    Guard("token: expiry", _TOKENS, "expiry <= present - leeway", "False", TOKENS),
    Guard("token: beginning", _TOKENS, "beginning > present + leeway", "False", TOKENS),
    Guard("token: numbers alone", _TOKENS, "isinstance(seconds, bool) or ", "", TOKENS),
    Guard("token: verified address", _TOKENS, 'claims.get("email_verified") is not True', "False", TOKENS),
    Guard("token: no delegates", _TOKENS, "if grant.role not in {Role.DELEGATE, Role.OPERATOR}", "if True", TOKENS),
    Guard("token: identifiers", _TOKENS, "or not re.fullmatch(IDENTIFIER, value, re.ASCII)", "or False", TOKENS),
    Guard("issuer's key: use", _TOKENS, 'document.get("use", "sig") != "sig"', "False", TOKENS),
    Guard("issuer's key: operations", _TOKENS, 'or "verify" not in operations', "or False", TOKENS),
    Guard("issuer's key: length", _TOKENS, "MIN_RSA_BITS <= rsa.key_size <= MAX_RSA_BITS", "True", TOKENS),
    Guard("issuer's key: algorithm", _TOKENS, "algorithms &= {algorithm} if isinstance(algorithm, str) else set()",
          "pass", TOKENS),
    Guard("issuer's key: once", _JWKS, "counts[key.id] == 1", "True", TOKENS),
    Guard("issuer: asked seldom", _JWKS, "self._elapsed() - self._asked_at < MIN_INTERVAL_SECONDS", "False", KEYS),
    Guard("issuer: keys grow old", _JWKS, "self._elapsed() - self._fetched_at < FRESH_SECONDS", "True", KEYS),
    Guard("issuer: kept keys end", _JWKS, "self._elapsed() - self._fetched_at > KEPT_SECONDS", "False", KEYS),
    Guard("issuer: no redirect", _JWKS, "allow_redirects=False", "allow_redirects=True",
          "tests/unit/platform/test_issuer_over_http.py"),
    Guard("issuer: no proxy", _JWKS, "trust_env=False", "trust_env=True",
          "tests/unit/platform/test_issuer_over_http.py"),
    Guard("issuer: size", _JWKS, "len(document) > MAX_DOCUMENT_BYTES", "False",
          "tests/unit/platform/test_issuer_over_http.py"),
    Guard("key: secret", _IDENTITY, "not hmac.compare_digest(row.digest, presented)", "False", STORED),
    Guard("key: revoked", _IDENTITY, "key.revoked_at is not None or ", "", STORED),
    Guard("key: expired", _IDENTITY, "(key.expires_at is not None and key.expires_at <= now)", "False", STORED),
    Guard("key: expires while remembered", _IDENTITY, "remember_until = min(remember_until, found.expires_at)", "pass",
          STORED),
    Guard("key: forgotten soon", _IDENTITY, "remembered[0] > now", "True", STORED),
    Guard("key: acts as its owner", _IDENTITY, "owner or subject, Grants.known", "subject, Grants.known", GRANTS),
    Guard("grant: its environment", _GRANTS, "or grant.environment == environment", "or True", GRANTS),
    Guard("grant: its role", _GRANTS, "grant.role is role or role in _IMPLIED[grant.role]", "True", GRANTS),
    Guard("grant: a delegate votes for nobody", _GRANTS, "_FOR_SOMEBODY - {Role.APPROVER}", "_FOR_SOMEBODY", GRANTS),
    Guard("grant: only delegates name others", _GRANTS, "if grant.role is Role.DELEGATE]", "]", GRANTS),
    Guard("person: spelling", "schemas/principals.py", ".casefold()", "", "tests/unit/schemas/test_principals.py"),
    Guard("person: form", "schemas/principals.py",
          'unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject).casefold())', "subject.casefold()",
          "tests/unit/schemas/test_principals.py"),
    Guard("door: role", _DOOR, "if not (caller.may_somewhere(*roles) if somewhere else caller.may(*roles)):",
          "if False:", "tests/contract/test_authorization_matrix.py"),
    Guard("door: role in all environments", _DOOR, "caller.may_somewhere(*roles) if somewhere else caller.may(*roles)",
          "caller.may_somewhere(*roles)", "tests/integration/security/test_environments.py"),
    Guard("door: role in this environment", _DOOR, "if not caller.may(*roles, environment=environment):", "if False:",
          "tests/integration/security/test_environments.py"),
    Guard("door: who names others", _DOOR, "if not caller.may_somewhere(Role.DELEGATE):", "if False:",
          "tests/integration/security/test_environments.py"),
    Guard("door: limits", "services/platform/http/limits.py", "if missing > 0:", "if False:",
          "tests/unit/platform/test_limits.py"),
    Guard("stream: asked again", "services/ingress/stream.py", "if not await self._allowed():", "if False:", STREAMS),
    Guard("stream: role and organization asked again", _DOOR, "return caller.organization_id == known.organization_id and "
          "caller.may(*roles)", "return True", RIGHTS),
    Guard("stream: of its organization", _DOOR, "caller.organization_id == known.organization_id and ", "", RIGHTS),
    Guard("stream: a delegate still", _DOOR, "            caller = _delegated(caller, on_behalf_of)\n    except",
          "            pass\n    except", RIGHTS),
    Guard("stream: an organization's share", "services/ingress/feeds.py", "if self._viewers[organization_id] >= "
          "self.most_of_one:", "if False:", "tests/integration/ingress/test_stream.py"),
    Guard("stream: counted as it is opened", "services/ingress/feeds.py", "self._viewers[organization_id] += 1\n        "
          "try:\n            if organization_id not in self._feeds:\n                newest = await self._newest("
          "organization_id)", "newest = await self._newest(organization_id)\n        self._viewers[organization_id] += 1"
          "\n        try:\n            if organization_id not in self._feeds:", "tests/unit/ingress/test_feeds.py"),
    Guard("poison: parked, not tried again", "services/platform/messaging/consumer.py", "letters.append(DeadLetter("
          "self._group, record, error.code, str(error), self._organization_of(record)))", "raise",
          "tests/integration/poison/test_under_load.py"),
    Guard("bounded: keys remembered", _IDENTITY, "if len(self._known) >= CACHE_SIZE:", "if False:", REMEMBERED),
    Guard("bounded: signers remembered", _GATE, "if len(self._known) + len(key_ids) > CACHE_SIZE:", "if False:",
          REMEMBERED),
    Guard("bounded: streams that ended", "services/ingress/feeds.py", "self._feeds.pop(organization_id, None)", "pass",
          AFTER_STORM),
    Guard("held up: errors told", "services/platform/http/problems.py", "errors[:MAX_ERRORS]", "errors",
          "tests/unit/platform/test_problems.py"),
    Guard("held up: a long replay", "services/rules/store/facts.py", "if number % _ROWS_AT_ONCE == 0:", "if False:",
          HELD_UP),
    Guard("outward: a gateway's echo", "services/executor/domain/answers.py", "return text.replace(credential, HIDDEN) "
          "if credential else text", "return text", "tests/unit/executor/test_answers.py"),
    Guard("outward: an echo that is no HTTP", "services/executor/gateways.py", "without_credential(answer.reason, "
          "credential)[:_MOST_SAID]", "answer.reason[:_MOST_SAID]", "tests/integration/executor/test_gateway_client.py"),
    Guard("outward: special addresses", _OUTWARD, "if address in network:\n            return", "if False:\n"
          "            return", OUTWARD),
    Guard("outward: NAT64", _OUTWARD, "if address in _NAT64 else None", "if False else None", OUTWARD),
    Guard("outward: mapped", _OUTWARD, "if address.ipv4_mapped is not None:", "if False:", OUTWARD),
    Guard("outward: ISATAP", _OUTWARD, "in _ISATAP:", "in ():", OUTWARD),
    Guard("outward: scope", _OUTWARD, "address.scope_id is not None", "False", OUTWARD),
    Guard("outward: not unicast", _OUTWARD, "if address not in _PUBLIC_IPV6:", "if False:", OUTWARD),
    Guard("outward: user in URL", _OUTWARD, 'if "@" in parts.netloc:', "if False:", OUTWARD),
    Guard("outward: port", _OUTWARD, "in _REFUSED_PORTS or port == 0", "in ()", OUTWARD),
    Guard("outward: literal", _OUTWARD, "    if why is not None:\n        raise Forbidden(f\"leads", "    if False:\n"
          "        raise Forbidden(f\"leads", OUTWARD),
    Guard("outward: odd numbers", _OUTWARD, "if _NUMBER.fullmatch(labels[-1]):", "if False:", OUTWARD),
    Guard("outward: every address of a name", "services/platform/outward_calls.py", 'self._check(result["host"])', "pass",
          "tests/unit/platform/test_outward_calls.py"),
    Guard("outward: the address connected to", "services/platform/outward_calls.py", "self._check(str(where[0]))", "pass",
          "tests/unit/platform/test_outward_calls.py"),
    Guard("outward: no proxy", "services/platform/outward_calls.py", "trust_env=False", "trust_env=True", LEADING),
    Guard("outward: endless answers", "services/platform/outward_calls.py", "if len(body) > most_bytes:", "if False:",
          LEADING),
    Guard("webhook: no redirect", "services/notifications/sender.py", "allow_redirects=False", "allow_redirects=True",
          LEADING),
    Guard("webhook: its own secret", "services/notifications/sealing.py", "{self.organization_id}\\n{self.webhook_id}",
          "", LEADING),
    Guard("webhook: the old secret ends", "services/notifications/domain/hook.py", "if now < old.until", "",
          TELLING),
    Guard("webhook: the old secret keeps its time", "services/notifications/domain/hook.py", ", *kept)", ",)", TELLING),
    Guard("webhook: what a filter asks in words unknown", "services/notifications/domain/hook.py",
          "name in known and _allows(", "name not in known or _allows(", TELLING),
    Guard("webhook: changed meanwhile", "services/notifications/commands.py",
          'require_version("webhook", known.version, accepted=expected)', "pass",
          "tests/integration/ingress/test_webhooks_over_http.py"),
    Guard("executor: the lease of an outcome", "services/executor/handlers.py",
          "if result.execution.lease_id in written",
          "if any(each[:2] == result.execution.lease_id[:2] for each in written)",
          "tests/integration/executor/test_leases.py"),
    Guard("webhook: its organization's changes", "services/notifications/handlers.py",
          "listening.get(change.organization_id, ())", "[hook for found in (await hooks.listening(connection, "
          "{'acme', 'globex'})).values() for hook in found]", TELLING),
    Guard("webhook: who may say what changed", "services/notifications/consumer.py",
          'if event.source != event_source("promotion", event.data.organization_id)', "if False",
          "tests/integration/notifications/test_service.py"),
    Guard("sign-in: state", _SIGN_IN, 'if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state'
          ".encode()):", "if False:", SIGN_IN),
    Guard("sign-in: issuer of the answer", _SIGN_IN, 'if answer.get("iss", self._issuer) != self._issuer:', "if False:",
          SIGN_IN),
    Guard("sign-in: nonce", _SIGN_IN, "if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt"
          ".nonce.encode()):", "if False:", SIGN_IN),
    Guard("sign-in: for us", _SIGN_IN, 'if claims.get("azp", None if several else self._client.id) != self._client.id:',
          "if False:", SIGN_IN),
    Guard("sign-in: the issuer's own configuration", _SIGN_IN, 'found.get("issuer") != issuer', "False", SIGN_IN),
    Guard("vault: bound to its place", "services/platform/vault.py", "self.organization_id, self.gateway_id, origin("
          "self.url)", '"", "", ""', "tests/unit/platform/test_vault.py"),
    Guard("signed: a signature at all", _GATE, "        if signature is None:\n            raise Unreadable(UNAUTHEN"
          "TICATED, \"the record has no", "        if signature is None:\n            return event\n        if False:\n"
          "            raise Unreadable(UNAUTHENTICATED, \"the record has no", SIGNED),
    Guard("signed: ours", _GATE, "if not is_signed_by(encoded, signature, self._service_key):", "if False:", SIGNED),
    Guard("signed: theirs", _GATE, "or not is_signed_by(encoded, signature, signer.key)", "or False", SIGNED),
    Guard("signed: time", _GATE, "if not now - REPLAY_WINDOW <= event.time <= now + CLOCK_TOLERANCE:", "if False:",
          SIGNED),
    Guard("signed: revoked", _GATE, "AND revoked_at IS NULL ", "", SIGNED),
    Guard("signed: expired", _GATE, "AND (expires_at IS NULL OR expires_at > :now)", "AND :now IS NOT NULL", SIGNED),
    Guard("signed: may say it", _GATE, "return from_outside(event, signer.principal)", "return event", SIGNED),
    Guard("signed: the value", _SIGNATURES, "record.topic.encode(), record.key, record.value]",
          "record.topic.encode(), record.key]", "tests/unit/platform/test_signatures.py"),
    Guard("signed: the topic", _SIGNATURES, "key_id.encode(), record.topic.encode(), ", "key_id.encode(), ",
          "tests/unit/platform/test_signatures.py"),
    Guard("outside: topics", _OUTSIDERS, "if event.topic not in TAKEN:", "if False:", OUTSIDERS),
    Guard("outside: our sources", _OUTSIDERS, "in RESERVED_SOURCES:", "in ():", OUTSIDERS),
    Guard("outside: organization", _OUTSIDERS, "event.data.organization_id != sender.organization_id", "False",
          OUTSIDERS),
    Guard("outside: publisher", _OUTSIDERS, "if not sender.may(Role.PUBLISHER):", "if False:", OUTSIDERS),
    Guard("outside: requester", _OUTSIDERS, "if not sender.may(Role.REQUESTER, environment=data.target_environment):",
          "if False:", OUTSIDERS),
    Guard("outside: own name", _OUTSIDERS, "if not is_own and not sender.may(Role.DELEGATE", "if False and not sender"
          ".may(Role.DELEGATE", OUTSIDERS),
    Guard("wall: policy", "services/platform/row_security.py", "CREATE POLICY {POLICY} ON {row.name} USING ({_VISIBLE})",
          "CREATE POLICY {POLICY} ON {row.name} USING (true)", WALL),
    Guard("wall: enabled", "services/platform/row_security.py", "ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY",
          WALL),
    Guard("wall: forced", "services/platform/row_security.py", "FORCE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY",
          WALL),
    Guard("wall: behind views", "services/platform/row_security.py", 'ALTER VIEW {view} OWNER TO {VIEW_ROLE}',
          "ALTER VIEW {view} OWNER TO CURRENT_USER", WALL),
    Guard("wall: requests", _DOOR, "        serve(caller.organization_id)\n", "",
          "tests/integration/security/test_canaries.py"),
    Guard("wall: separator", "services/platform/row_security.py", 'if "," in organization_id or organization_id == EVERY:',
          "if False:", WALL),
    Guard("approval: own promotion", "services/promotion/domain/commands.py", "    if principal_key(vote.voter) == "
          "principal_key(promotion.request.created_by):\n        raise OwnPromotion\n    if promotion.state not in "
          "lifecycle.PENDING and not", "    if promotion.state not in lifecycle.PENDING and not", BINDING),
    Guard("approval: requester not counted", "services/promotion/domain/approvals.py", "if key != requester or "
          "vote.breaks_glass", "if True", DECISION),
    Guard("approval: one person, one vote", "services/promotion/domain/approvals.py", "principal_key(vote.voter): vote",
          "vote.voter: vote", DECISION),
    Guard("approval: veto", "services/promotion/domain/approvals.py", "if veto is not None:", "if False:", DECISION),
    Guard("approval: at least one", "services/promotion/domain/decision.py", "max(1, evaluation.required_approvers)",
          "evaluation.required_approvers", DECISION),
    Guard("approval: for one thing", "services/promotion/domain/binding.py", "vote.binds == now and ", "", BINDING),
    Guard("approval: revoked", "services/promotion/domain/binding.py", " and not vote.revoked", "", BINDING),
    Guard("approval: early votes bound", "services/promotion/domain/progress.py", "informed.but(votes=bound("
          "informed))", "informed", BINDING),
    Guard("approval: checked before executing", "services/promotion/domain/progress.py", "    outcome = _outcome("
          "promotion, cause.at)\n    if not isinstance(outcome, Granted):", "    outcome = _outcome(promotion, cause.at)\n"
          "    if False:", BINDING),
    Guard("break-glass: ends with the promotion", "services/promotion/domain/commands.py", "    if promotion.state not in "
          "lifecycle.PENDING | {lifecycle.APPROVED_CONDITIONS}:", "    if False:", BINDING),
    Guard("facts: whose", "services/rules/domain/publishers.py", "publisher is not None and principal_key(publisher) in "
          "believed", "True", "tests/unit/rules/test_publishers.py"),
    Guard("log: secrets", "services/platform/redaction.py", "return _SECRETS.sub(_hide, text)", "return text",
          "tests/unit/platform/test_redaction.py"),
    Guard("log: fields", "services/platform/redaction.py", "if _SECRET_NAMES.search(name)", "if False",
          "tests/unit/platform/test_redaction.py"),
)  # fmt: skip
