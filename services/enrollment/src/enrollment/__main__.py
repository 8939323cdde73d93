"""`python -m enrollment serve|consume|relay|all|migrate`, and what an operator runs (`SERVICE.commands`)."""

from common.process import main
from enrollment.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
