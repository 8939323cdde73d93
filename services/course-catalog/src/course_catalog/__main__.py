"""`python -m course_catalog serve|consume|relay|all|migrate`."""

from common.process import main
from course_catalog.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
