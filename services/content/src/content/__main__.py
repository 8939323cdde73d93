"""`python -m content serve|consume|relay|all|migrate`."""

from common.process import main
from content.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
