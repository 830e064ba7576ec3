"""Settings of astakos, declared in the registry."""

from typing import Annotated, Any, Literal

from pydantic import Field

from synnefo.astakos import provider_settings as _provider_settings  # noqa: F401 - declares
from synnefo.common.settings import conf


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("astakos", name, type_, default, help_, **extra)


_declare("ASTAKOS_AUTH_TOKEN_DURATION", Annotated[int, Field(ge=1)], 30 * 24, "Life of a lasting API token, and of sessions.", unit="hours")
_declare("ASTAKOS_V3_TOKEN_DURATION", Annotated[int, Field(ge=300)], 3600,
         "Life of a token issued for credentials by the identity API.", unit="seconds")
_declare("ASTAKOS_ALLOW_EXPIRED_WINDOW", int, 48 * 3600,
         "How long after expiry services may still ask what a token was.", unit="seconds")
_declare("ASTAKOS_API_PASSWORD_AUTH", bool, True, "Accept account passwords at the identity API.")
_declare("ASTAKOS_ALLOW_QUERY_TOKEN", bool, False, "Accept the token in the query string too. Addresses leak into logs.")
_declare("ASTAKOS_ADMIN_API_ENABLED", bool, False, "Offer the API for administrators at identity/v2.0/users.")
_declare("ASTAKOS_ADMIN_STATS_PERMITTED_GROUPS", list[str], ["admin-stats"], "Groups whose members may read detailed statistics.")
_declare("ASTAKOS_ADMIN_API_PERMITTED_GROUPS", list[str], ["admin-api"],
         "Groups whose members may look at other users through the identity API.")
_declare("ASTAKOS_ENDPOINT_CACHE_TIMEOUT", Annotated[int, Field(ge=0)], 60,
         "How long the catalog is kept in a shared cache (CACHE_URL); changes count at once all the same.", unit="seconds")
_declare("ASTAKOS_REGION_NAME", str, "default", "Region named in the catalogs.")
_declare("ASTAKOS_CATALOG_MAX", int, 5000, "Entries a user may ask of user_catalogs in one call.")
_declare("ASTAKOS_CATALOG_A_MINUTE", Annotated[int, Field(ge=1)], 20_000,
         "Entries a user may ask of user_catalogs in a minute.")
_declare("ASTAKOS_MODERATION_ENABLED", bool, False, "New users wait for an operator's approval.")
_declare("ASTAKOS_RE_USER_EMAIL_PATTERNS", list[str], [],
         "With moderation, users whose e-mail matches one of these expressions need no approval. "
         "They are anchored at the start only: end them with $.")
_declare("ASTAKOS_SHOW_SIGNUP", bool, True, "Link to the sign-up page from the sign-in page.")
_declare("ASTAKOS_HIDE_ACCOUNTS", bool | None, None,
         "Whether pages keep to themselves which e-mails have an account. Unset, sign-up tells and password reset does not.")
_declare("ASTAKOS_VERIFICATION_DAYS", Annotated[int, Field(ge=1)], 7, "How long the link works that confirms an e-mail.", unit="days")
_declare("ASTAKOS_EMAILCHANGE_ENABLED", bool, False, "Users may change their e-mail.")
_declare("ASTAKOS_EMAILCHANGE_ACTIVATION_DAYS", Annotated[int, Field(ge=1)], 10,
         "How long the link works that confirms a new e-mail.", unit="days")
_declare("ASTAKOS_FORCE_PROFILE_UPDATE", bool, False, "Send users to their profile at sign-in until they have saved it once.")
_declare("ASTAKOS_PROFILE_EXTRA_LINKS", dict[str, str], {}, "More links on the profile: addresses by label.")
_declare("ASTAKOS_CAPTCHA_PROVIDER", Literal["", "builtin", "recaptcha", "hcaptcha", "turnstile"], "",
         "Who keeps robots from signing up, and from guessing passwords after some failures: builtin needs no third party. Empty is nobody.")
_declare("ASTAKOS_RECAPTCHA_ENABLED", bool, False, "The older way to say ASTAKOS_CAPTCHA_PROVIDER = recaptcha.")
_declare("ASTAKOS_RECAPTCHA_PUBLIC_KEY", str, "", "Key of this site at the service of ASTAKOS_CAPTCHA_PROVIDER.")
_declare("ASTAKOS_RECAPTCHA_PRIVATE_KEY", str, "", "The secret that belongs to that key.", secret=True)
_declare("ASTAKOS_INVITATIONS_ENABLED", bool, False, "Users may invite people, who then need no approval.")
_declare("ASTAKOS_INVITATIONS_PER_LEVEL", dict[int, Annotated[int, Field(ge=0, le=1_000_000)]], {0: 100, 1: 2, 2: 0, 3: 0, 4: 0},
         "How many people a new user may invite, by level; who was invited has the level of the inviter and one more.")
_declare("ASTAKOS_DEFAULT_USER_LEVEL", Annotated[int, Field(ge=0, le=100)], 4, "Level of users whom nobody invited.")
_declare("ASTAKOS_2FA_REQUIRED_GROUPS", list[str], [],
         "Groups whose members must set up a second factor before they can use any page.")
_declare("ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN", bool, True, "A new password makes a new API token too.")
_declare("ASTAKOS_ACTIVATION_REDIRECT_URL", str, "", "Where people come after that; empty is ASTAKOS_LOGIN_SUCCESS_URL.")
_declare("ASTAKOS_RATELIMIT_RETRIES_ALLOWED", Annotated[int, Field(ge=1)], 3,
         "Wrong passwords a minute per user before waits are imposed; ten times as many per address.")
_declare("ASTAKOS_UNVERIFIED_TTL_DAYS", Annotated[int, Field(ge=0)], 30,
         "How long an account with an unverified e-mail is kept; 0 is for ever.", unit="days")
_declare("ASTAKOS_AUDIT_DAYS", Annotated[int, Field(ge=0, le=36500)], 0,
         "How long the audit log is kept; 0 is for ever.", unit="days")
_declare("ASTAKOS_LOGIN_SUCCESS_URL", str, "/", "Where sign-in leads when no page was asked for.")
_declare("ASTAKOS_LOGOUT_NEXT", str, "", "Where sign-out leads; empty is the sign-in page.")
_declare("ASTAKOS_COOKIE_NAME", Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], "_pithos2_a",
         "Cookie that tells who signed in: the quoted text <uuid>|<token>.")
_declare("ASTAKOS_COOKIE_DOMAIN", str, "",
         "Domain of that cookie; sign-in may send people back to hosts below it. Empty is the host of the sign-in page alone.")
_declare("ASTAKOS_COOKIE_SECURE", bool | None, None, "Send that cookie over HTTPS only; unset is as SESSION_COOKIE_SECURE.")
_declare("ASTAKOS_COOKIE_HTTPONLY", bool, True, "Keep that cookie from scripts.")
_declare("ASTAKOS_COOKIE_PRIMARY_TOKEN", bool, False,
         "Put the user's API token into that cookie, as old installations did, instead of one that ends with the session.")
_declare("ASTAKOS_TOKEN_SHOW_ONCE", bool, False,
         "Keep API tokens as hashes only: pages show them once, when they are made.")
_declare("ASTAKOS_WEBLOGIN_PRIMARY_TOKEN", bool, False,
         "Give desktop programs the user's API token instead of one of their own.")
_declare("ASTAKOS_REDIRECT_ALLOWED_SCHEMES", list[str], ["pithos", "pithosdev"],
         "Address schemes that desktop programs may ask weblogin to send their token to.")
_declare("ASTAKOS_CORS_ORIGINS", list[str], [],
         "Origins (scheme://host) whose pages may ask who is signed in, besides those within ASTAKOS_COOKIE_DOMAIN.")
_declare("ASTAKOS_COMPONENT_TOKEN_GRACE", int, 0,
         "How long the old token of a component works after a renewal.", unit="hours")
_declare("ASTAKOS_COMPONENTS_META", dict[str, dict[str, Any]], {},
         "How components are shown to people, over the defaults: url, order, verbose_name, cloudbar and dashboard by name.")
for _page, _where in (("GLOBAL", "every page"), ("LOGIN", "the sign-in page"), ("SIGNUP", "the sign-up page"), ("PROFILE", "the profile")):
    _declare(f"ASTAKOS_{_page}_MESSAGES", list[tuple[Literal["success", "info", "warning", "error"], str]], [],
             f"Notices on {_where}: pairs of level and text; level is success, info, warning or error.")
_declare("ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME", Annotated[str, Field(pattern=r"^[A-Za-z0-9_~@#$:-]*$")], "",
         "Name of this cloud in the files that people download for clients; empty is made of BRANDING_SERVICE_NAME.")
_declare("ASTAKOS_JSONP_ENABLED", bool, True, "Answer the menu and the list of services as JSONP too, for older pages.")
_declare("ASTAKOS_STRICT_PROVISIONS", bool, True,
         "Refuse commissions that charge members without charging their project alike.")
_declare("ASTAKOS_PAGINATE_BY", Annotated[int, Field(ge=1, le=1000)], 50, "Rows of a page of projects, members or applications.")
_declare("ASTAKOS_PAGINATE_BY_ALL", Annotated[int, Field(ge=1, le=1000)], 50, "The same where projects of everybody are listed.")
_declare("ASTAKOS_RESOURCE_CACHE_TIMEOUT", Annotated[int, Field(ge=0)], 60,
         "How long the list of visible resources is kept.", unit="seconds")
_declare("ASTAKOS_SERVICES", dict[str, Any], {},
         "Default limits as old installations wrote them: {service: {\"resources\": [{\"name\": ..., \"uplimit\": ...}]}}. "
         "Read by astakos-init only.")
_declare("ASTAKOS_PROVISION_LOG_DAYS", Annotated[int, Field(ge=1)], 400,
         "How long resolved commissions can be looked up.", unit="days")

_declare("OAUTH2_ENDPOINT_PREFIX", str, "oauth2/", "Path of the OAuth2 server below ASTAKOS_BASE_URL.")
_declare("OAUTH2_AUTHORIZATION_ENDPOINT", str, "auth/", "Path of the authorization endpoint below OAUTH2_ENDPOINT_PREFIX.")
_declare("OAUTH2_TOKEN_ENDPOINT", str, "token/", "Path of the token endpoint below OAUTH2_ENDPOINT_PREFIX.")
_declare("OAUTH2_AUTHORIZATION_CODE_LENGTH", Annotated[int, Field(ge=30, le=200)], 60, "Length of authorization codes.", unit="characters")
_declare("OAUTH2_TOKEN_LENGTH", Annotated[int, Field(ge=22, le=200)], 30, "Length of access tokens.", unit="characters")
_declare("OAUTH2_TOKEN_EXPIRES", Annotated[int, Field(ge=1)], 20, "Life of access tokens for one resource.", unit="seconds")
_declare("OAUTH2_API_TOKEN_EXPIRES", Annotated[int, Field(ge=60)], 3600,
         "Life of access tokens with the scopes openid, api and their kin.", unit="seconds")
_declare("OAUTH2_REFRESH_TOKEN_DAYS", Annotated[int, Field(ge=1)], 30, "Life of a refresh token that is not used.", unit="days")
_declare("OAUTH2_MAXIMUM_ALLOWED_REDIRECT_URI_LENGTH", Annotated[int, Field(ge=100, le=20000)], 5000,
         "Longest redirect address.", unit="characters")
_declare("OAUTH2_ID_TOKEN_ALGORITHM", Literal["RS256", "ES256"], "RS256", "How new keys sign ID tokens.")
_declare("OAUTH2_KEY_OVERLAP_HOURS", Annotated[int, Field(ge=2)], 24,
         "How long the public half of a replaced signing key can be fetched.", unit="hours")

_declare("ASTAKOS_PROJECTS_VISIBLE", bool, True, "Show the pages of projects to users who are no administrators of projects.")
_declare("ASTAKOS_PROJECT_ADMINS", list[str], [], "Uuids of the users who decide about all projects.")
_declare("ASTAKOS_PROJECT_ADMIN_GROUPS", list[str], [], "Groups whose members decide about all projects too.")
_declare("ASTAKOS_PROJECT_EXPIRY_WARNING_DAYS", list[Annotated[int, Field(ge=0)]], [30, 7, 1],
         "How long before its end the owner of a project is warned.", unit="days")
_declare("QUOTA_POLICY_MODULE", str | None, None,
         "Module with check_state_membership(membership, action) and check_state_projects(projects, action), called after each change.")

conf.declare_family("astakos", r"ASTAKOS_([A-Z0-9_]+)_MESSAGE", str,
                    "Text in place of a message or mail subject of that name, with the same {placeholders}.")
_Staff = list[tuple[str, str]]
_declare("ACCOUNT_NOTIFICATIONS_RECIPIENTS", _Staff | None, None,
         "Who hears of new accounts: (name, e-mail) pairs; unset is HELPDESK, MANAGERS and ADMINS.")
_declare("ACCOUNT_PENDING_MODERATION_RECIPIENTS", _Staff | None, None,
         "Who hears of accounts that wait for approval; unset is ACCOUNT_NOTIFICATIONS_RECIPIENTS.")
_declare("ACCOUNT_ACTIVATED_RECIPIENTS", _Staff | None, None,
         "Who hears of accepted accounts; unset is ACCOUNT_NOTIFICATIONS_RECIPIENTS.")
_declare("FEEDBACK_NOTIFICATIONS_RECIPIENTS", _Staff | None, None, "Who gets feedback; unset is HELPDESK.")
_declare("PROJECT_NOTIFICATIONS_RECIPIENTS", _Staff | None, None,
         "Who hears of approved projects; unset is HELPDESK and MANAGERS.")
_declare("PROJECT_CREATION_RECIPIENTS", _Staff | None, None,
         "Who hears of new project applications; unset is PROJECT_NOTIFICATIONS_RECIPIENTS.")
_declare("PROJECT_MODIFICATION_RECIPIENTS", _Staff | None, None,
         "Who hears of applications to change projects; unset is PROJECT_NOTIFICATIONS_RECIPIENTS.")

conf.declare_obsolete("ASTAKOS_SKIP_EMAIL_VERIFICATION", "set ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOVERIFY_POLICY")
conf.declare_obsolete("ASTAKOS_SITENAME", "set BRANDING_SERVICE_NAME")
conf.declare_obsolete("ASTAKOS_DEFAULT_FROM_EMAIL", "set SERVER_EMAIL")
