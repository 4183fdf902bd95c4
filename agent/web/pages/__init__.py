"""The pages, in the order of the menu: one line each."""

from agent.web.pages import claim, events, health, home, login, tariff
from agent.web.pages.page import Page

PAGES: tuple[Page, ...] = (
    home.PAGE,
    tariff.PAGE,
    health.PAGE,
    events.PAGE,
    claim.PAGE,
    login.PAGE,
)
MENU = tuple(page for page in PAGES if page.in_menu)
