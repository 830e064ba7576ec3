"""Settings that no single service owns."""

from typing import Any

from synnefo.common.settings import conf


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("common", name, type_, default, help_, **extra)


_declare("SYNNEFO_SERVICES", list[str], ["astakos", "pithos", "cyclades"], "Services this host runs.")
_declare("DEBUG", bool, False, "Developer mode. Never on a host that strangers reach.")
_declare("SECRET_KEY", str, "", "Signs sessions and short-lived links. Required.", secret=True)
_declare(
    "SECRET_ENCRYPTION_KEY", list[str], [],
    "Keys that encrypt stored secrets, newest first; 32 bytes in url-safe base64 each. Required.", secret=True,
)
_declare("DATABASE_URL", str, "sqlite:////var/lib/synnefo/synnefo.sqlite3",
         "sqlite:///<path> or postgresql://user:password@host:port/name.", secret=True)
_declare("DATABASE_POOL_SIZE", int, 16, "Connections a process keeps to PostgreSQL at most.")
_declare("CACHE_URL", str, "locmem://", "locmem://, memcached://host:port or redis://host:port/0.")
_declare("ALLOWED_HOSTS", list[str], ["localhost", "127.0.0.1", "[::1]"], "Host names this site answers to.")
_declare("TRUSTED_PROXIES", list[str], [], "Addresses whose X-Forwarded-* headers are believed.")
_declare("CSRF_TRUSTED_ORIGINS", list[str], [], "Origins (scheme://host) whose forms are accepted besides our own.")
_declare("SESSION_COOKIE_SECURE", bool, True, "Send cookies over HTTPS only. The one-box demo on loopback turns it off.")
_declare("SESSION_ENGINE", str, "",
         "Where browser sessions are kept: Django's dotted name. Empty is the database, behind the cache when CACHE_URL is a shared one.")
_declare("LOG_LEVEL", str, "INFO", "Lowest level that is logged.")
_declare("LOG_FORMAT", str, "json", "json, or console for people.")
_declare("LOG_DIR", str, "/var/log/synnefo", "Directory of log files and of the command log.")
_declare("STATE_DIR", str, "/var/lib/synnefo", "Directory for what the services keep on disk besides blocks.")
_declare("METRICS_ALLOWED_ADDRESSES", list[str], ["127.0.0.1", "::1"], "Addresses that may read /metrics.")
_declare("SNF_MANAGE_USER", str, "synnefo", "User snf-manage drops to when started as root; empty keeps root.")
_declare("SNF_MANAGE_GROUP", str, "synnefo", "Group snf-manage drops to when started as root.")
_declare("LOGGER_EXCLUDE_COMMANDS", str, "-list$|-show$", "Commands whose runs are not logged (regular expression).")
_declare("EVENTS_URL", list[str], ["spool:///var/lib/synnefo/events"],
         "Where Ganeti events travel: spool:///<directory> without a broker, or amqp://user:password@host:port "
         "(several are tried in turn).", secret=True)
_declare("AMQP_HOSTS", list[str], [], "The guides' name for the broker list; used instead of EVENTS_URL when not empty.",
         secret=True)
_declare("EXCHANGE_GANETI", str, "ganeti", "Topic exchange of the events.")
_declare("ASTAKOS_BASE_URL", str, "http://127.0.0.1:8080/astakos", "Public root of Astakos.")
_declare("ASTAKOS_AUTH_URL", str, "", "Identity root of an Astakos on another host; empty when it runs here.")
_declare("ASTAKOS_TOKEN_CACHE", int, 10,
         "Seconds for which a service remembers who a good token belongs to, when Astakos runs elsewhere; 0 asks each time.")
_declare("CYCLADES_BASE_URL", str, "http://127.0.0.1:8080/cyclades", "Public root of Cyclades.")
_declare("PITHOS_BASE_URL", str, "http://127.0.0.1:8080/pithos", "Public root of Pithos+.")
_declare("CYCLADES_SERVICE_TOKEN", str, "", "Component token of Cyclades, when Astakos runs elsewhere.", secret=True)
_declare("PITHOS_SERVICE_TOKEN", str, "", "Component token of Pithos+, when Astakos runs elsewhere.", secret=True)
_declare("BRANDING_SERVICE_NAME", str, "Synnefo", "Name of the cloud, shown everywhere.")
_declare("BRANDING_SERVICE_URL", str, "", "Address of pages about the cloud.")
_declare("BRANDING_COMPANY_NAME", str, "", "Who runs the cloud; shown in the footer and in mails.")
_declare("BRANDING_COMPANY_URL", str, "", "Address of who runs the cloud.")
_declare("BRANDING_SHOW_COPYRIGHT", bool, False, "Show the copyright line.")
_declare("BRANDING_COPYRIGHT_MESSAGE", str, "", "The copyright line; empty is 'Copyright (c) YEAR COMPANY'.")
_declare("BRANDING_FOOTER_EXTRA_MESSAGE", str, "", "HTML in the footer of every page.")
_declare("BRANDING_IMAGE_MEDIA_URL", str, "",
         "Directory with images of your own, as an address: favicon.ico, dashboard_logo.png, compute_logo.png, console_logo.png and "
         "storage_logo.png. Empty shows ours.")
for _image, _place in (("FAVICON", "the tabs of browsers"), ("DASHBOARD_LOGO", "pages about accounts, quota and projects"),
                       ("COMPUTE_LOGO", "pages of machines and networks"), ("CONSOLE_LOGO", "the console of a machine"),
                       ("STORAGE_LOGO", "pages of files")):
    _declare(f"BRANDING_{_image}_URL", str, "", f"The image for {_place}, as an address; wins over BRANDING_IMAGE_MEDIA_URL.")
_declare("ASTAKOS_RESOURCES_META", dict[str, dict[str, Any]], {},
         "How resources are shown: {name: {verbose_name, group (storage, compute, network, accounts or another), help_text, order}}.")
_declare("UI_USAGE_THRESHOLDS", tuple[int, int], (75, 90), "From which percentages on usage is shown as much, and as critical.")
_declare("ASTAKOS_USAGE_UPDATE_INTERVAL", int, 5000, "How often the usage page looks again.", unit="milliseconds")
_declare("CLOUDBAR_ACTIVE", bool, True, "Link in the bar at the top of pages to the components whose pages are on other sites.")

_Staff = list[tuple[str, str]]
_declare("ADMINS", _Staff, [], "Administrators: (name, e-mail) pairs.")
_declare("MANAGERS", _Staff, [], "Managers: (name, e-mail) pairs.")
_declare("HELPDESK", _Staff, [], "Helpdesk: (name, e-mail) pairs.")
_declare("CONTACT_EMAIL", str, "support@localhost", "Address where users ask for help; shown on pages and in mails.")
_declare("SERVER_EMAIL", str, "cloud@localhost", "Sender of the cloud's mails.")
_declare("DEFAULT_FROM_EMAIL", str, "cloud@localhost", "Sender of mails that name none.")
_declare("EMAIL_BACKEND", str, "django.core.mail.backends.smtp.EmailBackend", "How mail leaves: Django's dotted name.")
_declare("EMAIL_FILE_PATH", str, "", "Directory of the file-based mail backend.")
_declare("EMAIL_HOST", str, "127.0.0.1", "SMTP server.")
_declare("EMAIL_PORT", int, 25, "Port of the SMTP server.")
_declare("EMAIL_HOST_USER", str, "", "User at the SMTP server.")
_declare("EMAIL_HOST_PASSWORD", str, "", "Password at the SMTP server.", secret=True)
_declare("EMAIL_USE_TLS", bool, False, "Switch to TLS by STARTTLS.")
_declare("EMAIL_USE_SSL", bool, False, "TLS from the first byte.")
_declare("EMAIL_TIMEOUT", int, 30, "Longest wait for the SMTP server.", unit="seconds")
_declare("EMAIL_SUBJECT_PREFIX", str, "", "Put before every subject.")
_declare("TEMPLATES_DIR", str, "/etc/synnefo/templates",
         "Directory of templates that replace those of the product, by the same relative names.")
